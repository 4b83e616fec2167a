"""What every subject needs: journeys, counts, conversion, intervals, comparing."""

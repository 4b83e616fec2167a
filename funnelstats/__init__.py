"""Where a sales team loses its leads, and whether that is real."""

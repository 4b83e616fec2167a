"""What a page is made of: tables, figures, boxes of sentences, files for a spreadsheet."""

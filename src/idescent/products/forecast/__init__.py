"""Long runs predicted instead of made: rows, table and figure."""

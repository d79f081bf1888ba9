"""Long runs that are leapt over: rows, table and figure."""

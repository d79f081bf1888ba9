"""For how many iterations each model's prediction holds: rows, table and loss curves."""

"""Model families, one a file: each declares its modules and what else its bundle says."""

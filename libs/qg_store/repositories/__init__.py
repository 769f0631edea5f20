"""Statements, one module per noun. Nobody here commits: the unit of work does."""

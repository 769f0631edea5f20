"""What is counted before anything is parsed, so that the slowest accepted parse stays well under a second."""

from __future__ import annotations

STATEMENT_BYTES_MAX = 64 * 1024  # UTF-8, as stored and sent
LEXEMES_MAX = 12_000
LITERAL_CHARS_MAX = 32_767  # ORA-01704 beyond it, also with MAX_STRING_SIZE = EXTENDED
LITERAL_RUN_MAX = 64  # digits or white space in a row
PIVOT_COLUMNS_MAX = 1_000  # the parser builds every name: aggregates times values
# Parentheses and CASE ... END together. The parser recurses about 30 Python frames per level and Python
# allows 1,000, so 20 leaves room for a caller that is itself deep in a framework.
NESTING_DEPTH_MAX = 20
DOTTED_NAMES_MAX = 16  # in one chain, `schema.table.column.attribute...`
BINDS_MAX = 500
NAME_BYTES_MAX = 128  # Oracle 12.2 and later

"""Oracle's reserved words and the words that may stand before an opening parenthesis.

Source: Oracle Database SQL Language Reference 19c, "Oracle SQL Reserved Words" (V$RESERVED_WORDS, RESERVED = Y).
A reserved word can't be the unquoted name of a function, a column or a bind.
"""

from __future__ import annotations

from .listed import listed

RESERVED_WORDS = listed(
    """
    ACCESS ADD ALL ALTER AND ANY AS ASC AUDIT BETWEEN BY CHAR CHECK CLUSTER COLUMN COLUMN_VALUE COMMENT
    COMPRESS CONNECT CREATE CURRENT DATE DECIMAL DEFAULT DELETE DESC DISTINCT DROP ELSE EXCLUSIVE EXISTS
    FILE FLOAT FOR FROM GRANT GROUP HAVING IDENTIFIED IMMEDIATE IN INCREMENT INDEX INITIAL INSERT INTEGER
    INTERSECT INTO IS LEVEL LIKE LOCK LONG MAXEXTENTS MINUS MLSLABEL MODE MODIFY NESTED_TABLE_ID NOAUDIT
    NOCOMPRESS NOT NOWAIT NULL NUMBER OF OFFLINE ON ONLINE OPTION OR ORDER PCTFREE PRIOR PUBLIC RAW RENAME
    RESOURCE REVOKE ROW ROWID ROWNUM ROWS SELECT SESSION SET SHARE SIZE SMALLINT START SUCCESSFUL SYNONYM
    SYSDATE TABLE THEN TO TRIGGER UID UNION UNIQUE UPDATE USER VALIDATE VALUES VARCHAR VARCHAR2 VIEW
    WHENEVER WHERE WITH
    """
)
# Unquoted, these can only be the statement they name.
STATEMENT_WORDS = {
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE"), "dml"),
    **dict.fromkeys(("ALTER", "AUDIT", "CREATE", "DROP", "GRANT", "NOAUDIT", "RENAME", "REVOKE"), "ddl"),
    "INTO": "select_into",
    "LOCK": "dml",
    "SESSION": "ddl",
}
# Reserved words that may stand before "(" and are no calls there.
OPEN_RESERVED = listed(
    """
    ALL AND ANY AS BETWEEN BY CHAR CONNECT DECIMAL DISTINCT ELSE EXISTS FLOAT FOR FROM GROUP HAVING IN
    INTEGER INTERSECT LIKE MINUS NOT NUMBER OF ON OR PRIOR RAW SELECT THEN UNION UNIQUE VARCHAR VARCHAR2
    WHERE WITH
    """
)
# Words that may stand before "(" as syntax but are free as names of functions. Each is syntax only in its place: after
# one of the words named here, or (AFTER_OPERAND) where an expression has just ended and no call could begin.
AFTER_OPERAND: frozenset[str] = frozenset()
ANYWHERE = frozenset({"*"})  # the parse tells: it sees no name there
OPEN_FREE: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        listed(
            """
            CHARACTER COLUMNS DAY DEFINE ESCAPE EXCEPT FILTER JOIN KEEP MATCH_RECOGNIZE MEASURES NCHAR NUMERIC
            NVARCHAR2 OFFSET OVER PARTITION PATTERN PIVOT SAMPLE SECOND SEED SUBPARTITION TIMESTAMP UNPIVOT USING
            WHEN YEAR
            """
        ),
        AFTER_OPERAND,
    ),
    **dict.fromkeys(listed("CASE CUBE ROLLUP SOME"), ANYWHERE),
    "APPLY": listed("CROSS OUTER"),
    "BLOCK": listed("SAMPLE"),
    "FIRST": listed("FETCH"),
    "LATERAL": listed(", FROM JOIN"),
    "NEXT": listed("FETCH"),
    "NOCYCLE": listed("BY"),
    "NULLS": listed("INCLUDE EXCLUDE"),
    "SCN": listed("OF"),
    "SETS": listed("GROUPING"),
}
# After these an expression or a table begins, so a name there is no clause.
_EXPECTING = listed(
    """
    ALL AND ANY BETWEEN BY CASE CONNECT_BY_ROOT DISTINCT ELSE ESCAPE EXCEPT EXISTS FETCH FROM HAVING IN INTERSECT IS
    JOIN LATERAL LIKE MINUS NOT OFFSET ON OR PRIOR SELECT SOME THEN UNION UNIQUE USING VALUE WHEN WHERE WITH
    """
)


def is_syntax(word: str, previous: str, *, after_operand: bool) -> bool:
    """Whether `word`, free as a name, is syntax after `previous` (upper case; "" for none).

    `after_operand` says that `previous` is a literal, a number, a bind, a quoted name, a word or a closing parenthesis.
    """
    places = OPEN_FREE.get(word)
    if places is None:
        return False
    if places is AFTER_OPERAND:
        return after_operand and (previous not in _EXPECTING or (word == "WHEN" and previous == "CASE"))
    return places is ANYWHERE or previous in places

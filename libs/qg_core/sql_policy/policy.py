"""The order of the policy's steps."""

from __future__ import annotations

from .agreement import disagreement
from .binds import bind_names, check_binds
from .calls import check_arguments, check_calls, check_certain_calls, check_members
from .characters import check_characters, check_size
from .code_rules import check_code, check_hints
from .facts import SqlFacts
from .findings import Finding, refusal
from .lexemes import read
from .names import check_names
from .nodes import check_nodes
from .parse import ParseRefused, parse, tokenize
from .parse_cost import check_cost
from .regions import find_regions

# With one of these there is nothing to parse, or the parser would end lines where the database doesn't.
_UNREADABLE = frozenset({"control_character", "empty", "root"})


def check(sql_text: str, *, allowed_functions: frozenset[str] = frozenset()) -> SqlFacts:
    """Return the facts of `sql_text` or raise SqlRefused with every problem that could be found.

    `allowed_functions` are names beyond the closed list, `func`, `pkg.func` or `schema.pkg.func`, in any case. Takes
    under a second for the largest statement it accepts or refuses; raises nothing but SqlRefused.
    """
    allowed = frozenset(name.upper() for name in allowed_functions)
    too_large = check_size(sql_text)
    if too_large:
        raise refusal(sql_text, [too_large])
    reading = read(sql_text)
    if any(finding.rule == "size" for finding in reading.findings):
        raise refusal(sql_text, reading.findings)
    too_dear = check_cost(sql_text, reading.code)
    if too_dear:
        raise refusal(sql_text, [too_dear])
    code = reading.code
    regions = find_regions(code)
    findings: list[Finding] = [
        *check_characters(sql_text),
        *reading.findings,
        *check_code(sql_text, code, regions, allowed),
        *check_hints(reading.comments),
        *check_binds(code),
    ]
    if reading.findings or any(finding.rule in _UNREADABLE for finding in findings):
        # Cut differently or no query at all: a parse of it would prove nothing.
        raise refusal(sql_text, findings)
    try:
        tokens = tokenize(sql_text)
        differing = disagreement(code, tokens)
        if differing:
            raise refusal(sql_text, [*findings, differing])
        root = parse(sql_text, tokens)
        tree = check_nodes(root, code)
        names = check_names(root, allowed)
    except ParseRefused as refused:
        raise refusal(sql_text, [*findings, refused.finding, *check_certain_calls(code, allowed)]) from None
    except RecursionError:
        findings.append(Finding(0, "nesting", "The statement nests too deep to be checked."))
        raise refusal(sql_text, findings) from None
    # The tree often has no place for what the words show already.
    shown = {finding.rule for finding in findings}
    findings.extend(finding for finding in tree.findings if finding.rule not in shown)
    findings.extend(names.findings)
    findings.extend(
        check_calls(
            code,
            regions,
            allowed=allowed,
            name_starts=tree.name_starts,
            column_list_starts=names.column_list_starts,
        )
    )
    findings.extend(check_members(code, names.placed, allowed))
    findings.extend(check_arguments(code, regions, tree.name_starts))
    binds = bind_names(code)
    if set(binds) != tree.binds:
        findings.append(Finding(0, "disagreement", "The parser finds other binds in this statement."))
    if findings:
        raise refusal(sql_text, findings)
    return SqlFacts(binds=binds, tables=names.tables, columns=names.columns)

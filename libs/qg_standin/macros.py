"""SQL functions that Oracle has and the engine has not, as macros of the engine."""

from __future__ import annotations

MACROS = (
    "ora_sysdate() as cast(date_trunc('second', now() at time zone 'UTC') as timestamp_s)",
    """ora_div(a, b) as case when b = 0 then error('ORA-01476: divisor is equal to zero') else a / b end""",
    "ora_mod(a, b) as case when b = 0 then a else a % b end",
    "ora_add_days(d, n) as d + to_microseconds(cast(round(cast(n as double) * 86400e6) as bigint))",
    "ora_days_between(a, b) as (epoch_us(cast(a as timestamp)) - epoch_us(cast(b as timestamp))) / 86400e6",
    """ora_add_months(d, n) as cast(
         case when last_day(d) = cast(d as date)
         then cast(last_day(cast(d as timestamp) + to_months(cast(n as integer))) as timestamp)
              + (cast(d as timestamp) - date_trunc('day', cast(d as timestamp)))
         else cast(d as timestamp) + to_months(cast(n as integer)) end as timestamp_s)""",
    """ora_last_day(d) as cast(cast(last_day(cast(d as timestamp)) as timestamp)
         + (cast(d as timestamp) - date_trunc('day', cast(d as timestamp))) as timestamp_s)""",
    """ora_months_between(a, b) as
         case when day(a) = day(b) or (last_day(a) = cast(a as date) and last_day(b) = cast(b as date))
         then cast((year(a) - year(b)) * 12 + month(a) - month(b) as double)
         else (year(a) - year(b)) * 12 + month(a) - month(b)
              + (day(a) - day(b) + (epoch_us(cast(a as time)) - epoch_us(cast(b as time))) / 86400e6) / 31.0 end""",
    """ora_next_day(d, n) as cast(cast(d as timestamp)
         + to_days(cast((n - dayofweek(d) + 6) % 7 + 1 as integer)) as timestamp_s)""",
    "ora_week_day(w) as list_position(['sun','mon','tue','wed','thu','fri','sat'], lower(left(w, 3))) - 1",
    "ora_second_of_day(d) as hour(d) * 3600 + minute(d) * 60 + second(d)",
    """ora_zero_pad(t, n) as case when left(t, 1) = '-' then '-' || lpad(substr(t, 2), cast(n as integer), '0')
         else lpad(t, cast(n as integer), '0') end""",
    """ora_initcap(t) as array_to_string(list_transform(regexp_extract_all(t, '[A-Za-z0-9]+|[^A-Za-z0-9]+'),
         lambda w: upper(left(w, 1)) || lower(substr(w, 2))), '')""",
    """ora_number_text(n) as case when contains(cast(n as varchar), '.')
         and not contains(lower(cast(n as varchar)), 'e')
         then regexp_replace(regexp_replace(rtrim(rtrim(cast(n as varchar), '0'), '.'), '^0\\.', '.'), '^-0\\.', '-.')
         else cast(n as varchar) end""",
    "ora_to_number(t) as cast(replace(replace(cast(t as varchar), ',', ''), '$', '') as decimal(38,10))",
    "ora_to_date(t, f) as cast(strptime(cast(t as varchar), f) as timestamp_s)",
    "ora_to_timestamp(t, f) as cast(strptime(cast(t as varchar), f) as timestamp)",
    "ora_nvl2(a, b, c) as case when a is not null then b else c end",
    """ora_instr(t, s, p) as case when instr(substr(t, cast(p as integer)), s) = 0 then 0
         else instr(substr(t, cast(p as integer)), s) + cast(p as integer) - 1 end""",
    "sys_guid() as unhex(replace(cast(uuid() as varchar), '-', ''))",
    "rawtohex(r) as hex(r)",
    "hextoraw(t) as unhex(t)",
    "lengthb(t) as strlen(t)",
    "to_clob(t) as cast(t as varchar)",
    "to_blob(r) as cast(r as blob)",
    "to_binary_double(n) as cast(n as double)",
    "to_binary_float(n) as cast(n as float)",
    """numtodsinterval(n, u) as case upper(u)
         when 'DAY' then to_microseconds(cast(round(cast(n as double) * 86400e6) as bigint))
         when 'HOUR' then to_microseconds(cast(round(cast(n as double) * 3600e6) as bigint))
         when 'MINUTE' then to_microseconds(cast(round(cast(n as double) * 60e6) as bigint))
         else to_microseconds(cast(round(cast(n as double) * 1e6) as bigint)) end""",
    "regexp_substr(t, p) as nullif(regexp_extract(t, p), '')",
    "regexp_count(t, p) as len(regexp_extract_all(t, p))",
    """regexp_instr(t, p) as case when regexp_extract(t, p) = '' then 0
         else instr(t, regexp_extract(t, p)) end""",
    "remainder(a, b) as a - b * round(a / b)",
    "ora_hash(v) as hash(v) % 4294967296",
    "vsize(t) as strlen(cast(t as varchar))",
    "numtoyminterval(n, u) as to_months(cast(case upper(u) when 'YEAR' then 12 * n else n end as integer))",
    "bitand(a, b) as cast(a as bigint) & cast(b as bigint)",
)


def definitions() -> list[str]:
    """The statements that create every macro, and DUAL."""
    statements = [f"create or replace macro {macro}" for macro in MACROS]
    return [*statements, "create table if not exists dual (dummy varchar)", "insert into dual values ('X')"]

"""What a server version promises to clients: protocol numbers, capabilities and how responses end."""

from __future__ import annotations

from dataclasses import dataclass

CHARSET_UTF8 = 873
CHARSET_AL16UTF16 = 2000
FLAG_END_OF_RESPONSE = 0x02000000

# What each index switches is in the negotiation of TTC capabilities; absent indexes are zero. Index 7 is
# the field version and is filled in per profile.
_COMPILE_CAPS = {
    0: 6, 1: 1, 4: 0xEA, 5: 0x18, 8: 1, 9: 1, 15: 0x29, 16: 0x91, 17: 3, 18: 7, 19: 3, 21: 1, 23: 0x4F,
    26: 4, 27: 1, 31: 0x10, 34: 12, 35: 2, 37: 0xB0, 39: 8, 42: 5,
}  # fmt: skip
_RUNTIME_CAPS = {0: 2, 1: 1, 6: 0x05}
_RUNTIME_CAPS_BYTES = 11


@dataclass(frozen=True, slots=True)
class Profile:
    """One server version as clients see it."""

    tns_version: int
    field_version: int
    compile_caps_bytes: int
    accept_flags: int
    end_of_response: bool
    version_number: int
    banner: str
    version_text: str

    def compile_caps(self) -> bytes:
        caps = bytearray(self.compile_caps_bytes)
        for index, value in _COMPILE_CAPS.items():
            caps[index] = value
        caps[7] = self.field_version
        if self.end_of_response:
            caps[40] = 0x20
        return bytes(caps)

    def runtime_caps(self) -> bytes:
        caps = bytearray(_RUNTIME_CAPS_BYTES)
        for index, value in _RUNTIME_CAPS.items():
            caps[index] = value
        return bytes(caps)


PROFILE_19 = Profile(
    tns_version=318,
    field_version=12,
    compile_caps_bytes=45,
    accept_flags=0,
    end_of_response=False,
    version_number=(19 << 24) | (3 << 16),
    banner="x86_64/Linux 2.4.xx",
    version_text="19.3.0.0.0",
)

# Without fast authentication, which clients do not insist on.
PROFILE_23 = Profile(
    tns_version=319,
    field_version=24,
    compile_caps_bytes=55,
    accept_flags=FLAG_END_OF_RESPONSE,
    end_of_response=True,
    version_number=(23 << 24) | (4 << 16),
    banner="x86_64/Linux 2.4.xx",
    version_text="23.4.0.0.0",
)

PROFILES = {"19": PROFILE_19, "23": PROFILE_23}

"""How admins prove themselves: the password once, then a token."""

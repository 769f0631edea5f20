"""Auth methods and the credentials issued under them."""

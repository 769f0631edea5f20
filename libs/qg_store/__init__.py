"""Postgres: the models, one repository module per noun, the migrations. The only place with SQL for Postgres."""

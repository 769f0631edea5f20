-- Run once, when the cluster is made, as its superuser: the database, the three groups, a user for each service.
-- Passwords are read from the secrets of this container; none is on a command line.
\set ON_ERROR_STOP on
\set migrate_password `cat /run/secrets/postgres_migrate`
\set control_password `cat /run/secrets/postgres_control`
\set worker_password `cat /run/secrets/postgres_worker`

-- The migrations would make these groups themselves, but then their user needed CREATEROLE.
CREATE ROLE qg_owner NOLOGIN;
CREATE ROLE qg_app NOLOGIN;
CREATE ROLE qg_worker NOLOGIN;

CREATE USER gateway_migrate PASSWORD :'migrate_password' IN ROLE qg_owner;
CREATE USER gateway_control PASSWORD :'control_password' IN ROLE qg_app;
CREATE USER gateway_worker PASSWORD :'worker_password' IN ROLE qg_worker;

CREATE DATABASE querygateway OWNER gateway_migrate;
REVOKE CONNECT, TEMPORARY ON DATABASE querygateway FROM PUBLIC;
GRANT CONNECT ON DATABASE querygateway TO qg_app, qg_worker;

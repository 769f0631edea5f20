"""`querygateway ...`: the entry points of the services and the admin's command line."""

"""The steps of one data request, each taking and returning values; `pipeline` alone knows their order."""

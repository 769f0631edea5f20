"""Oracle pools, bounded execution, values to JSON, driver errors to gateway errors."""

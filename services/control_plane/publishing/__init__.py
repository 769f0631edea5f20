"""From a saved change to a revision that every node serves."""

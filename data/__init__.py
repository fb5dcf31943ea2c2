"""Bundled data: trained weights with their model card, and the sample article."""

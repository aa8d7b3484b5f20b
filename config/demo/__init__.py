"""The demonstration: a small cohort taken through the product's own API, and measured."""

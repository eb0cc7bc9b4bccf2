"""The pages, one blueprint a module; each is registered by its `blueprint`."""

"""A small plugin, as a third party would write it, that the tests of the core build flows from."""

package rules

// Within is within, for tests.
var Within = within

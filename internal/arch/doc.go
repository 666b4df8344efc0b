// Package arch holds the rules of the house as tests: which package may import
// which and why, what the pure packages may not touch, who alone uses a
// library, and what the top of the repository looks like.
//
// Nothing imports it. The tests read all Go files of the module, for every
// operating system, whatever the one they run on. A rule about a package that
// does not exist yet holds. To draw a new arrow, add it to the table in
// arrows_test.go with the sentence that says why, in the commit that needs it.
package arch

// Package guide reads the documents, so that tests can hold them to what they say: run their
// commands, check their snippets, follow their links.
//
// A document is plain: paragraphs, and blocks that are indented by four spaces or fenced. No
// mark in it is there for a test. What a block is meant for stands in the sentence before it.
package guide

// Package timeline keeps what happened on one balancer, each entry with its reason and its
// evidence, and tells it again: as a list, or as the story a person would write of it.
//
// An entry is one line: a checksum and a JSON object, at most [MaxLine] bytes. A line that
// a power cut tore, or that something else damaged, is left out and counted; those around
// it stand. The file is in fact two, since whoever writes it may have no right to rename:
// when one has reached its bound ([MaxFile]) the other is emptied and gone on with. So at
// least the newest MaxFile bytes are always there, and never more than twice as many.
//
// Each entry is written at once, which survives the death of the process; [Log.Sync] makes
// what was written survive a power cut. Who owns the Log calls it once a second, so that a
// power cut costs the last second of the file, and no disk is waited for in between.
package timeline

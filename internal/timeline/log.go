package timeline

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	// MaxFile bounds each of the two files, in bytes: some 3,000 entries.
	MaxFile = 1 << 20
	// maxKept bounds the entries in memory, which queries are answered from.
	maxKept = 4096
)

// File is what a Log needs of an *os.File.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
}

// Log is the timeline of one node. It is safe for use by many goroutines.
type Log struct {
	mu      sync.Mutex // protects what follows
	files   []File     // two, or none
	now     int        // the one that is written
	size    int64      // of that
	most    int64      // MaxFile
	dirty   bool
	seq     uint64
	kept    []Entry // oldest first
	damaged int
}

// Open reads what is in the two files, which it goes on with; without files the Log is kept
// in memory alone. A line that is torn or damaged is left out. The files stay the caller's.
func Open(files ...File) (*Log, error) { return open(MaxFile, files) }

func open(most int64, files []File) (*Log, error) {
	if len(files) != 0 && len(files) != 2 {
		return nil, fmt.Errorf("timeline: %d files, want two or none", len(files))
	}
	l := &Log{files: files, most: most}
	for i, f := range files {
		size, newest, err := l.read(f)
		if err != nil {
			return nil, err
		}
		if newest > l.seq || i == 0 {
			l.now, l.size, l.seq = i, size, newest
		}
	}
	slices.SortStableFunc(l.kept, func(a, b Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	l.bound()
	return l, nil
}

// read takes in one file, cuts a torn last line off, and returns its length and the newest
// entry in it.
func (l *Log) read(f File) (size int64, newest uint64, err error) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, l.most+MaxLine))
	if err != nil {
		return 0, 0, fmt.Errorf("timeline: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if len(whole) < len(data) {
		l.damaged++
		if err := f.Truncate(int64(len(whole))); err != nil {
			return 0, 0, fmt.Errorf("timeline: %w", err)
		}
	}
	for line := range bytes.Lines(whole) {
		e, err := Decode(line)
		if err != nil {
			l.damaged++
			continue
		}
		newest = max(newest, e.Seq)
		l.kept = append(l.kept, e)
	}
	return int64(len(whole)), newest, nil
}

func (l *Log) bound() {
	if over := len(l.kept) - maxKept; over > 0 {
		l.kept = slices.Delete(l.kept, 0, over)
	}
}

// Damaged is how many lines Open could not read.
func (l *Log) Damaged() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.damaged
}

// Seq is the number of the newest entry, so how many there have been.
func (l *Log) Seq() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// Append adds an entry and gives it its number. After an error of a file it is in memory
// all the same.
func (l *Log) Append(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	e.Seq = l.seq
	line, err := Encode(e)
	if err != nil {
		return err
	}
	l.kept = append(l.kept, e)
	l.bound()
	if l.files == nil {
		return nil
	}
	if l.size+int64(len(line)) > l.most {
		other := 1 - l.now
		if err := l.files[other].Truncate(0); err != nil {
			return fmt.Errorf("timeline: %w", err)
		}
		l.now, l.size = other, 0
	}
	if _, err := l.files[l.now].WriteAt(line, l.size); err != nil {
		return fmt.Errorf("timeline: %w", err) // the next one goes over what was written of it
	}
	l.size += int64(len(line))
	l.dirty = true
	return nil
}

// Sync waits until all that was appended is on the disk.
func (l *Log) Sync() error {
	l.mu.Lock()
	dirty := l.dirty
	l.dirty = false
	l.mu.Unlock()
	if !dirty {
		return nil
	}
	var errs []error
	for _, f := range l.files { // both: the bound may just have been reached
		errs = append(errs, f.Sync())
	}
	return errors.Join(errs...)
}

// Newest is the highest ID of what the keeper of that boot saw; 0: none of it is here.
func (l *Log) Newest(boot uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range slices.Backward(l.kept) {
		if e.Boot == boot && e.ID != 0 {
			return e.ID
		}
	}
	return 0
}

// Filter says which entries are wanted. What is zero does not restrict.
type Filter struct {
	Since, Until time.Time // from Since, before Until
	Kinds        []string
	Group        string
	After        uint64 // only entries with a higher Seq
	Before       uint64 // only entries with a lower one
	Limit        int    // the newest so many
}

// Match says whether an entry is wanted, Limit left aside.
func (f Filter) Match(e Entry) bool {
	return e.Seq > f.After && (f.Before == 0 || e.Seq < f.Before) && (f.Since.IsZero() || !e.Time.Before(f.Since)) && (f.Until.IsZero() || e.Time.Before(f.Until)) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) && (f.Group == "" || e.Group == f.Group)
}

// Query returns the entries wanted, oldest first.
func (l *Log) Query(f Filter) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []Entry{}
	for _, e := range l.kept {
		if f.Match(e) {
			out = append(out, e)
		}
	}
	if over := len(out) - f.Limit; f.Limit > 0 && over > 0 {
		out = out[over:]
	}
	return out
}

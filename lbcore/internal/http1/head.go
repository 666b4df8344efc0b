package http1

// head is what requests and responses share: the fields and the state of the scan.
type head struct {
	buf []byte
}

// NumFields is the number of field lines, those that will not be forwarded included.
func (h *head) NumFields() int { panic("coming") }

// Field returns the i-th field line: the name as it was written, the value without surrounding white space.
func (h *head) Field(i int) (name, value []byte) { panic("coming") }

// Get returns the value of the first field of that name, or nil; lower must be in lower case.
func (h *head) Get(lower string) []byte { panic("coming") }

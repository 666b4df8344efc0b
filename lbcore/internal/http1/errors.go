package http1

// An Error says why a message was refused. All values are predeclared: returning one allocates nothing, and two
// may be compared by pointer.
//
// The parsers return *Error, never an error interface; test it against nil before turning it into an error.
// After any error nothing that follows on the connection can be trusted: answer (a request) and close.
type Error struct {
	Status int    // what to answer the client with: 400, 413, 414, 417, 431, 501, 505; always 502 for a response
	Reason string // a short stable name such as "cl-and-te", for logs, counters and tests
}

// Error implements error.
func (e *Error) Error() string { return "http1: " + e.Reason }

// A code names one cause of refusal; it becomes an *Error once it is known from which side the message came.
type code uint8

const (
	ok code = iota
	emptyLine
	badMethod
	longMethod
	badTarget
	badTargetForm
	badTargetEscape
	badTargetBackslash
	connectMethod
	badVersion
	otherVersion
	longLine
	largeHead
	manyFields
	bareCR
	bareLF
	controlByte
	obsFold
	spaceBeforeColon
	badName
	emptyName
	lookalikeName
	hostMissing
	hostTwice
	badHost
	clAndTE
	clTwice
	badCL
	teTwice
	badTE
	otherTE
	teIn10
	badConnection
	manyOptions
	otherExpect
	largeBody
	badStatusLine
	badStatus
	switching
	badChunkSize
	chunkOverflow
	badChunkExt
	longChunkExt
	badChunkEnd
	badTrailer
	longTrailer
	truncated
	codes
)

// refused holds what a client gets for each code.
var refused = [codes]Error{
	emptyLine:          {400, "empty-line"},
	badMethod:          {400, "method"},
	longMethod:         {501, "method-too-long"},
	badTarget:          {400, "target"},
	badTargetForm:      {400, "target-form"},
	badTargetEscape:    {400, "target-escape"},
	badTargetBackslash: {400, "target-backslash"},
	connectMethod:      {501, "connect"},
	badVersion:         {400, "version"},
	otherVersion:       {505, "version-unsupported"},
	longLine:           {414, "line-too-long"},
	largeHead:          {431, "head-too-large"},
	manyFields:         {431, "too-many-fields"},
	bareCR:             {400, "bare-cr"},
	bareLF:             {400, "bare-lf"},
	controlByte:        {400, "control-byte"},
	obsFold:            {400, "obs-fold"},
	spaceBeforeColon:   {400, "space-before-colon"},
	badName:            {400, "field-name"},
	emptyName:          {400, "field-name-empty"},
	lookalikeName:      {400, "field-name-lookalike"},
	hostMissing:        {400, "host-missing"},
	hostTwice:          {400, "host-twice"},
	badHost:            {400, "host"},
	clAndTE:            {400, "cl-and-te"},
	clTwice:            {400, "cl-twice"},
	badCL:              {400, "cl"},
	teTwice:            {400, "te-twice"},
	badTE:              {400, "te"},
	otherTE:            {501, "te-unsupported"},
	teIn10:             {400, "te-in-1.0"},
	badConnection:      {400, "connection"},
	manyOptions:        {400, "connection-options"},
	otherExpect:        {417, "expect"},
	largeBody:          {413, "body-too-large"},
	badStatusLine:      {400, "status-line"},
	badStatus:          {400, "status-code"},
	switching:          {400, "switching-protocols"},
	badChunkSize:       {400, "chunk-size"},
	chunkOverflow:      {400, "chunk-overflow"},
	badChunkExt:        {400, "chunk-ext"},
	longChunkExt:       {400, "chunk-ext-too-long"},
	badChunkEnd:        {400, "chunk-end"},
	badTrailer:         {400, "trailer"},
	longTrailer:        {400, "trailer-too-long"},
	truncated:          {400, "truncated"},
}

// badGateway holds the same reasons for messages of a backend: whatever is wrong there is a 502 to the client.
var badGateway = func() (t [codes]Error) {
	for i, e := range refused {
		t[i] = Error{Status: 502, Reason: e.Reason}
	}
	return t
}()

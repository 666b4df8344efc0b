// Package render makes files of the live members, pools and backends: for those who run
// another proxy, whose configuration changes with them.
//
// A template is one of text/template; what it sees is [Data]:
//
//	backend web
//	{{- range (.Pool "web").Backends }}
//	    server {{ ident .Name }} {{ hostport .Host .Port }} weight {{ .Weight }}{{ if .Drain }} disabled{{ end }}
//	{{- end }}
//
// [Text] renders one. [Job.Apply] has its target say what comes out, and promises:
//
//   - nothing is done when the target says that already;
//   - the target is replaced as a whole, by a rename: nobody ever reads half of it, and a
//     power cut leaves the old one or the new one;
//   - its mode, owner and group stay; where the user may not give the new file to the old
//     one's owner, that is an error and not another owner;
//   - a check that fails leaves everything as it was;
//   - earlier versions are kept up to a number: TARGET.1 is the newest.
//
// A reload that fails after that is owed: the next Apply runs it again, also where the text
// is the same. [Schedule] says when to apply: once for a burst, and again after a failure.
// It is pure.
//
// What a member says of itself stands in the text as it is. Names and addresses have been
// checked; tags may hold spaces and quotes, and whoever holds the gossip key chooses them.
package render

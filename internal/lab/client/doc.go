// Package client is the user of a site, as a measuring instrument: it opens a
// new TCP connection for one HTTP GET every 2 ms and writes down what became of
// each, so that an outage can be read off afterwards.
//
// What it promises:
//
//   - Open loop. The schedule does not wait for answers: a request is due
//     every Interval, however badly the earlier ones fare. One that had to start
//     late keeps the time at which it was due, and one that could not start at
//     all because MaxOpen are open is counted as failed ([Overrun]), not left out.
//     When it is the client's own thread that came late, it makes up for no more
//     than [catchUp] requests and skips the others, marked as [Skipped]: a burst of
//     hundreds at once would be a fault of its own, which no crowd of users causes.
//   - New connections. Each request resolves the site's address through the
//     client's own ARP cache and makes its own connection, so the longest gap
//     between two good answers is the true outage. A SYN that was lost costs
//     its own request the kernel's 1 s retransmission, but not the measurement:
//     the next connection, 2 ms later, sees the site as it then is.
//   - Times are monotonic, taken when the answer was complete, by the one
//     thread that does all the work. A machine too busy to run that thread
//     makes outages longer, never shorter.
//
// The parts: [Load] sends (Linux), [Log] keeps the last [LogSize] requests,
// [Outage] and [Count] are pure functions over them.
//
//	log := client.NewLog(time.Now())
//	load := client.New(client.Config{Target: vip, Enter: host.Do}, log)
//	go load.Run(ctx)
//	…
//	from := log.Now()
//	// something breaks here
//	to := log.Now()
//	gap := client.Outage(log.Requests(), client.Window{From: from, To: to}, log.Settled())
//
// Run owns its thread and every socket, and has closed them when it returns.
// Log may be used from any goroutine.
package client

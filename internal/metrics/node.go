package metrics

import (
	"github.com/tandem-lb/tandem/internal/api"
)

// nodeFamilies are about the balancer itself and its three processes.
var nodeFamilies = []family{
	{
		"tandem_build_info", gauge, "Always 1; the version runs here.", labels("version"),
		func(s *api.Status, add func(float64, ...string)) { add(1, s.Version) },
	},
	{
		"tandem_start_time_seconds", gauge, "When this balancer's keeper started, since the epoch of Unix; 0 before it reported.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(unix(s.Since)) },
	},
	{
		"tandem_report_age_seconds", gauge, "Age of what a process last reported: the keeper and the proxy do once a second.", labels("process"),
		func(s *api.Status, add func(float64, ...string)) {
			add(s.KeeperAge.Seconds(), "keeper")
			add(s.ProxyAge.Seconds(), "proxy")
		},
	},
	{
		"tandem_process_ready", gauge, "Whether a process does its work: 1 if so.", labels("process"),
		eachProcess(func(p api.Process) float64 { return truth(p.Ready) }),
	},
	{
		"tandem_process_restarts_total", counter, "How often the keeper has started a process again.", labels("process"),
		eachProcess(func(p api.Process) float64 { return float64(p.Restarts) }),
	},
	{
		"tandem_process_start_time_seconds", gauge, "When a process started, since the epoch of Unix.", labels("process"),
		eachProcess(func(p api.Process) float64 { return unix(p.Since) }),
	},
	{
		"tandem_process_resident_memory_bytes", gauge, "Memory of a process that is in RAM.", labels("process"),
		eachProcess(func(p api.Process) float64 { return float64(p.RSSBytes) }),
	},
	{
		"tandem_process_cpu_seconds_total", counter, "Processor time that a process has used.", labels("process"),
		eachProcess(func(p api.Process) float64 { return p.CPU.Seconds() }),
	},
	{
		"tandem_proxies_draining", gauge, "Proxy processes that were replaced and end with their last connection.", nil,
		func(s *api.Status, add func(float64, ...string)) {
			n, _ := draining(s)
			add(float64(n))
		},
	},
	{
		"tandem_proxies_draining_connections", gauge, "Connections that those processes have left.", nil,
		func(s *api.Status, add func(float64, ...string)) {
			_, connections := draining(s)
			add(float64(connections))
		},
	},
	{
		"tandem_timeline_entries_total", counter, "Entries of this node's timeline so far, those of earlier processes included.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Timeline.Entries)) },
	},
	{
		"tandem_timeline_damaged_lines", gauge, "Lines of the timeline's files that could not be read at start.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Timeline.Damaged)) },
	},
	{
		"tandem_timeline_lost_total", counter, "Entries that could not be written, since the control process started.", nil,
		func(s *api.Status, add func(float64, ...string)) { add(float64(s.Timeline.Lost)) },
	},
}

// eachProcess adds a value for the keeper, control, and the proxy that serves.
func eachProcess(value func(api.Process) float64) func(*api.Status, func(float64, ...string)) {
	return func(s *api.Status, add func(float64, ...string)) {
		for _, p := range s.Processes {
			if p.Doing == "" || p.Doing == "serving" {
				add(value(p), p.Name)
			}
		}
	}
}

func draining(s *api.Status) (processes int, connections int64) {
	for _, p := range s.Processes {
		if p.Doing == "draining" {
			processes++
			connections += p.Clients
		}
	}
	return processes, connections
}

package timeline

// reason is how one of election's words is told. PEER stands for the other balancer.
type reason struct {
	because string
	active  string // in place of it, for whoever became active
	ended   string // in place of it, where the state channel said that PEER's keeper has ended
	next    []string
}

// reasons tells each word that election uses for a change of state.
var reasons = map[string]reason{
	"started":   {because: "The balancer was started and waits for the active."},
	"no-active": {because: "Nobody was active since this node became backup."},
	"active-silent": {
		because: "PEER was active and fell silent: its adverts stopped and it answered no query.",
		ended:   "PEER was active and its keeper ended: its state channel closed, its adverts stopped and it answered no query.",
		next:    []string{"is PEER up? look at its power, its network, and its log at that time", "'tandem members' shows whether gossip reaches it"},
	},
	"yielded": {
		because: "PEER asked to be relieved, or came back without the VIP.",
		next:    []string{"'tandem why --node PEER' says why it yielded", "'tandem status --node PEER' shows whether its proxy was restarted"},
	},
	"conflict-lost": {
		because: "PEER was active as well, with the better claim; this node stepped back at once, and drains what it has left.",
		next:    []string{"two were active: the balancers did not hear each other; look at the network between them", "'tandem status' shows whether a path is degraded"},
	},
	"withdrawn": {because: "A better claim, by PEER, was heard while this node claimed."},
	"not-serving": {
		because: "This node could not serve, and another one could.",
		next:    []string{"'tandem timeline --kind process' shows whether the proxy died or hung", "look at this balancer's log at that time"},
	},
	"preempted": {because: "PEER would clearly serve better, and preempt is on."},
	"fitter": {
		because: "PEER sees clearly more of the backends up than this node, and did so for a while.",
		next:    []string{"'tandem backends' shows which balancer sees what up", "look at the network between this node and the backends"},
	},
	"foreign-owner": {
		because: "A host that is no balancer answers for the VIP.",
		next:    []string{"find the host with that MAC address: another use of the VIP, or a balancer of another cluster"},
	},
	"claim-failed":   {because: "The VIP could not be put on the interface.", next: []string{"look at the interface and at this balancer's log"}},
	"probe-failed":   {because: "The segment could not be asked who has the VIP.", next: []string{"look at the interface and at this balancer's log"}},
	"release-failed": {because: "The VIP could not be taken off the interface.", next: []string{"look at the interface; 'tandem release' takes the VIP off when the balancer is stopped"}},
	"retry":          {because: "The time to try again after a fault has come."},
	"shutdown":       {because: "This balancer was asked to end."},
	"paused": {
		because: "This node stood still while it claimed.",
		next:    []string{"look for a pause of the virtual machine, a CPU quota, or a stop signal at that time"},
	},
	"deaf": {
		because: "The active was silent, but nothing showed that this node hears anybody, so its silence proved nothing.",
		next:    []string{"look at this node's own network: its port, cable, or virtual switch"},
	},
	"isolated": {
		because: "Nobody was heard on the VIP's segment any more: this node was cut off.",
		next:    []string{"look at this node's own network: its port, cable, or virtual switch"},
	},
	"not-useful": {
		because: "This node answered nobody on the VIP's segment, and PEER heard more there.",
		next:    []string{"look at what this node receives on the VIP's interface"},
	},
	"handover": {
		because: "The VIP was handed over, as planned.",
		active:  "PEER handed the VIP over.",
	},
	"resumed": {
		because: "A handover was begun and PEER did not take over, so this node went on.",
		next:    []string{"'tandem timeline --node PEER' shows what kept it from taking over"},
	},
}

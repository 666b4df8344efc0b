// Package nft encodes batches of nftables commands and commits them, whole or not at all.
//
// It knows the few things Tandem needs and google/nftables lacks or hides: tables that the
// kernel removes with their owner ([Owned]) or that outlive it ([Persistent]), and a write to
// the network header that mends the transport's checksum ([SetPseudo]). Other expressions are
// those of google/nftables/expr ([Known]).
//
//	c, err := nft.Open()                                // in this thread's network namespace
//	var b nft.Batch
//	b.Table(nft.ARP, "tandem", nft.Owned)
//	b.Chain(nft.ARP, "tandem", nft.Chain{Name: "in", Hook: nft.HookARPIn})
//	b.Rule(nft.ARP, "tandem", "in", nft.Equal(…), nft.Drop)
//	err = c.Commit(&b)
//
// An owned table belongs to the Conn that made it: nobody else may change it, and it goes
// when the Conn is closed or its process dies, unless it is persistent too. A Conn is safe
// for use by one goroutine at a time. No goroutine is started; [Watcher.Run] wants one.
package nft

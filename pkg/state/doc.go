// Package state turns what the API server says into values of pkg/core, and holds
// those that change with it. It is the only translator between the two worlds.
//
// [Gangs] holds every gang of the cluster: its members, the object that declares
// it, and the verdict of gang.Resolve over both. Changes come in from informers
// and are settled by one worker, so a burst of pods costs a few verdicts and not
// one a pod. What follows from a verdict is told to a [Sink]: a gang that is
// admitted is published as a pod group, one that is held is withdrawn.
//
// [Index] is the packing index of the nodes of the scheduler's snapshot. [Inventory] knows
// the devices of every node, how they are linked, and who holds them.
//
// [Queues] knows which queue pays for which pod, and what each uses. [Windows] says who may be
// tried while there is no queue.
//
// Files: member.go (pods to members), podgroup.go (groups to pod groups), declared.go (what objects declare), gangs.go (what
// is kept), settle.go (from a change to a verdict), nodes.go (which topology levels
// there are), tiers.go (which of them a tier is), view.go (reading); index.go,
// amounts.go (what nodes have and pods ask for), lookedat.go (which levels are looked
// at), changes.go (what changed since), tally.go (how many devices are taken); machine.go (a NodeTopology), containers.go (the
// devices that each container asks for), inventory.go, take.go and judge.go (who holds
// what, gets what, and fits where), annotation.go (what is written on a pod),
// prediction.go, dump.go; ranks.go (the ranks of a gang's pods), snapshot.go (all of it
// as one value); queue.go (queues, and quotas of namespaces), queuespares.go (the spares that they claim) and queues.go (which there
// are), rebuild.go (from one set of them to another), capacity.go (what all nodes have),
// access.go (who may use them), charges.go (which queue is charged for which pod), waiting.go (who waits),
// turns.go (who is let in), reclaim.go and permit.go (who may be evicted for whom), fate.go (what becomes of
// them), checkpoint.go (what their pods say of their work), claims.go (who is
// tried in spite of a limit), explain.go (what those that wait are told), queuereport.go
// (what is said of queues), windows.go (who may be tried without queues), books.go (what is
// looked at when somebody asks); health.go (which nodes are lost), losses.go (which gangs lack
// members that they had), occupancy.go (which nodes have given out too much), illness.go
// (devices that fall ill under pods).
package state

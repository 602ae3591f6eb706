// Package topology decides which devices of a machine a pod gets, from how the devices
// are linked.
//
// # Quality
//
// A [Matrix] says how each pair of up to 16 devices is linked. The quality of a set of
// devices is its ring bandwidth, what a collective over the set can count on, each way:
//
//	links x rate                    for two devices with NVLinks
//	min(links) x rate               if all are on a switch
//	edge-disjoint rings x rate      over direct NVLinks, if a ring of them passes through all
//	slowest hop of the best ring    in every other case
//
// This is what NCCL plans with. The sum over pairs, or the slowest pair, mislead on a
// mesh: nearly every four devices of a DGX-1V have a pair without NVLink, and some of
// them have two rings.
//
// Disjoint rings are counted exactly for up to eight devices, as long as a number of search
// steps for the whole class lasts. It does for every machine as it is built, and for
// uneven meshes of up to 8 devices and 3 NVLinks a pair. For sets that are left over, and
// those of more devices, a bound from above counts: see search.go. Only there it may matter
// how the devices are numbered.
//
// # Choice
//
// Machines with the same matrix are one [Class], for which everything is computed once:
// tables over all sets of devices, as masks. [Class.Choose] returns the set for a pod of
// k devices, of those that are free: the highest quality, then the most that is left for
// pods to come, then the fewest NUMA nodes and the nearest network adapters, then the
// lowest devices. What is left is
//
//	the sum over sizes k of weight(k) x best quality of k / ideal quality of k
//
// over the devices that are still free. A choice has two numbers to compare nodes by:
// its Ratio, the quality over the ideal of its class, so that machines of several models
// compare; and its Cost, what is left less, over what an idle machine is worth.
//
// On a stock cluster the scheduler does not choose: the device plugin does. With the
// [Picker] DevicePlugin a choice is what that will pick, as far as can be known.
//
// Sets that are worth the same to every pod have one [Kind]: of the 256 sets of a
// machine with a switch there are nine.
//
// # Partial information
//
// What is not known degrades a choice and is no error: a path that is not known counts
// as one between sockets, NUMA nodes that are not known as one node, rates as those of a
// machine with NVLink 2 and PCIe 3.
//
// # Holders
//
// [Class.Hold] says which devices the pods of a node hold, from what the node reports and
// what was intended for them.
//
// Files: matrix.go (links), rates.go (bandwidths by product), parse.go and format.go (the
// form of nvidia-smi topo -m), rings.go (quality), disjoint.go (rings that share no link),
// search.go (the search for them), class.go (tables), choose.go (the best set), stock.go
// (what the device plugin picks), kind.go (sets that are worth the same), hold.go (who
// holds what).
package topology

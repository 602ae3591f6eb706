// Package suspension has pods leave by suspending their owner, and resumes it once they are
// gone, so that it makes them again and they wait for a place.
//
//	Departures(pods)          -> how they leave, by what their owners say (package dialect)
//	Owners(pod)               -> its controllers, as far as Berth may read them
//	Suspend(owner, claimant)  -> one patch: the field, a label and an annotation of ours
//	Gone(pod), from informers -> the last of an owner's pods: it is resumed, in one patch
//	Run(ctx)                  -> resumes, and takes up what an earlier leader suspended
//
// A pod that is still there half a minute after its grace period is not waited for: it is on a
// node that does not answer, where it may stay for ever. Its room stays taken.
//
// What was suspended already, or no longer has the mark, is somebody else's: it is left
// alone. Disruption budgets are the caller's to ask: controllers that suspend do not.
//
// Files: suspension.go (suspend), resume.go (resume, and take up), owners.go (reads owners).
package suspension

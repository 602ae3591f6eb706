// Package webpage serves a read-only page on what a scheduler sees and decides: who sits on
// which GPU, the queues, which gangs wait and why, and the last decisions, as they change.
//
//	GET /berth/ui/            the page, and what it is made of
//	GET /berth/ui/snapshot    all that it shows, as one JSON object: a [Snapshot]
//	GET /berth/ui/stream      server-sent events: a snapshot, and after it a [Delta] a change
//
// What is shown is a [Frame]: objects by kind and key, each as JSON. A reader that applies each
// delta to its snapshot has the frame of the moment. An event of the stream is of the type
// snapshot, delta, or failure; after the last of these the stream ends.
//
// While nobody reads, nothing is worked out. While somebody does, one frame is made in each
// [Period], for all readers together, and never in a scheduling cycle. A reader that does not
// keep up is dropped, and begins anew with a snapshot. There are at most [MostReaders].
//
// The page is static files, which are embedded here, and loads nothing from elsewhere. Its
// Content-Security-Policy allows no inline script. Names come from users of the cluster and are
// never read as HTML: the scripts set text, and build no markup from strings.
//
// Files: frame.go (what is shown, and how two frames differ), hub.go (frames for those who
// read), handler.go (over HTTP), assets.go and assets/ (the page).
package webpage

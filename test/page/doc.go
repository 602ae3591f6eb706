// Package page opens the scheduler's web page in a browser, and looks whether it shows what
// the scheduler says: make test-page. Where there is no Chromium, the test is skipped.
//
// Files: fleet_test.go (a cluster that is played), page_test.go (a server and a browser),
// page.mjs (what is looked at, in the browser).
package page

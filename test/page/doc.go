// Package page opens the scheduler's web page in a browser, and looks whether it shows what
// the scheduler says, and the page that the demo leaves behind, which is drawn by the same
// scripts: make test-page. Where there is no Chromium, the tests are skipped.
//
// Files: fleet_test.go (a cluster that is played), demo_test.go (a demo's outcome),
// page_test.go (a server and a browser), page.mjs and demo.mjs (what is looked at, in the
// browser).
package page

// Package docs reads the pages of the documentation, so that tests can check what they show.
//
//	Read(root)               -> the pages: README.md and docs/*.md
//	page.Blocks()            -> the code blocks of a page
//	block.Invocations()      -> the programs that a shell block runs, with their arguments
//	Check(command, argument) -> whether a command of ours takes these arguments
//
// Its own tests check links, manifests, targets of make, paths and reasons, and the scheduler's
// command. Each other command has a test beside it that calls CheckCommand. None needs a cluster.
//
// Files: pages.go (pages, blocks, links), shell.go (shell blocks), check.go (commands of ours).
package docs

//go:generate go run ./referencepage

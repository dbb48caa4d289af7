module parley/bench

go 1.26

require (
	github.com/gobwas/ws v1.5.0
)

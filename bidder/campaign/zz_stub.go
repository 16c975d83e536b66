package campaign

import (
	"context"
	"net/http"
)

type Follower struct{}

func (f *Follower) Run(ctx context.Context) error   { <-ctx.Done(); return ctx.Err() }
func (f *Follower) Ready(ctx context.Context) error { return nil }
func (f *Follower) Register(m *http.ServeMux)       {}

package stream

import "context"

// Missing returns those of topics that do not exist, in their order. It repeats until a broker
// answers or ctx ends.
func (s *topics) Missing(ctx context.Context, topics ...string) ([]string, error) {
	asked := make([]Topic, len(topics))
	for i, name := range topics {
		asked[i].Name = name
	}
	var names []string
	err := s.retry(ctx, "ask which topics there are", func(ctx context.Context) error {
		missing, err := s.missing(ctx, asked)
		names = names[:0]
		for _, t := range missing {
			names = append(names, t.Name)
		}
		return err
	})
	return names, err
}

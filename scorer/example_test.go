package scorer_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/scorer"
	"github.com/clickloop/clickloop/stream"
)

// A bidder asks in process which of its ads is worth most. Here neither Kafka nor weights are
// there: the answer is the prior, and says so.
func ExampleEngine() {
	client, err := stream.Dial(stream.Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	set, err := features.Compile(features.Config{})
	if err != nil {
		panic(err)
	}
	engine, err := scorer.NewEngine(scorer.DefaultConfig(), scorer.Deps{
		Client: client, Set: set, Store: features.NewMemory(), Logger: slog.New(slog.DiscardHandler),
		Objectives: []event.Objective{{Name: "click", Trigger: "impression", Positive: "click", Window: time.Hour}},
		Now:        func() event.Time { return event.TimeOf(time.Now()) },
	})
	if err != nil {
		panic(err)
	}
	// engine.Run(ctx) follows the weights and writes the log; it belongs into a goroutine.

	var call scorer.Call
	request := call.Add()
	request.ID, request.User = "auction-1", "u1"
	for ad, value := range map[string]float64{"shoes": 0.4, "hats": 0.9} {
		candidate := request.Add()
		candidate.Ad, candidate.Value = ad, value
	}
	if err := engine.Answer(context.Background(), &call); err != nil {
		panic(err)
	}
	for _, chosen := range request.Chosen() {
		fmt.Printf("%s: probability %.2f, expected value %.3f, propensity %v\n", request.Candidates[chosen.Index].Ad, chosen.P[0], chosen.Score, chosen.Propensity)
	}
	fmt.Println("without model:", request.Answer.WithoutModel, "logged:", request.Answer.Logged)
	// Output:
	// hats: probability 0.01, expected value 0.009, propensity 1
	// without model: true logged: true
}

package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tandem-lb/tandem/internal/api"
	"github.com/tandem-lb/tandem/internal/render"
)

func newTemplate() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "template",
		Short:   "try a template",
		GroupID: groupLook,
		Long: `A [[template]] of the configuration makes a file of the members, pools and backends that
are there, and keeps it so. These commands show what a template sees, and what one makes
of it, without writing anything.`,
		Example: "  tandem template render /etc/tandem/haproxy.cfg.tmpl",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return usage("say what to do: render FILE, or data") },
	}
	cmd.AddCommand(newTemplateRender(), newTemplateData())
	return cmd
}

func newTemplateRender() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "render FILE",
		Short: "print what a template makes of the members, pools and backends that are there now",
		Long: `Print what comes out of the template in FILE with the data of the balancer on this host.
Nothing is written, checked or reloaded: a [[template]] in the configuration does that.
'tandem template data' prints what a template sees.`,
		Example: "  tandem template render deploy/examples/haproxy.cfg.tmpl",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := api.NewClient(socket).TemplateData(cmd.Context())
			if err != nil {
				return err
			}
			var data render.Data
			if err := json.Unmarshal(b, &data); err != nil {
				return fmt.Errorf("the balancer's data is not what this version of tandem expects: %w", err)
			}
			text, err := render.Text(args[0], data)
			if err != nil {
				return fmt.Errorf("%w; 'tandem template data' prints what a template sees", err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&socket, "socket", api.DefaultSocket, "admin socket of the balancer")
	return cmd
}

func newTemplateData() *cobra.Command {
	var look lookFlags
	cmd := &cobra.Command{
		Use:   "data",
		Short: "print what templates see now, as JSON",
		Long: `Print what a template sees on the balancer of this host: this node, its VIPs, the members
that are there, and the pools with their backends. Always JSON, with or without --json.`,
		Example: "  tandem template data | jq '.pools[].backends[].name'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := api.NewClient(look.socket).TemplateData(cmd.Context())
			if err != nil {
				return err
			}
			return printJSON(cmd.OutOrStdout(), b)
		},
	}
	look.add(cmd)
	return cmd
}

# Reads the Vagrantfile in the place of Vagrant, and prints what it asks for, as JSON.
require "json"

PLAN = []

# Vm takes down what one machine is told; everything else it is asked is nothing to it.
class Vm
  def initialize(plan)
    @plan = plan
  end

  def define(name)
    machine = { name: name, addresses: [], ports: {}, steps: [] }
    PLAN << machine
    yield Config.new(Vm.new(machine))
  end

  def network(kind, **options)
    case kind
    when "private_network" then @plan[:addresses] << options.fetch(:ip)
    when "forwarded_port" then @plan[:ports][options.fetch(:guest)] = options.fetch(:host)
    else raise "unknown network #{kind}"
    end
  end

  def provision(kind, **options)
    @plan[:steps] << { kind: kind, **options }
  end

  def hostname=(name)
    @plan[:hostname] = name
  end

  def box=(_); end
  def synced_folder(*); end
  def provider(*); end
end

Config = Struct.new(:vm)

module Vagrant
  def self.configure(_version)
    yield Config.new(Vm.new(nil))
  end
end

load ARGV.fetch(0)
puts JSON.generate(PLAN)

// The control path of the chip: register block, host bridge, control processor with its firmware, mover, core ports.
//
// Host registers come in over AXI4-Lite (function 0; the other functions' views of the map are the link's part and not
// here), the mover goes out over AXI4, each core has a port that takes job addresses and gives results. What the chip is,
// parameters say; they come from the chip description. One clock, the control clock.

`default_nettype none

module control
  import register_map_pkg::*;
#(
    parameter int unsigned CORES           = 3,          // core ports, 1..32
    parameter int unsigned ENCODE_CORES    = 1,          // kinds in the order encode, scale, decode
    parameter int unsigned SCALE_CORES     = 1,
    parameter int unsigned MEMORY_MIB      = 512,        // device memory
    parameter int unsigned AREA_BYTES      = 262144,     // of it, the firmware's
    parameter int unsigned CLOCK_PS        = 10000,      // period of the control clock
    parameter int unsigned MOST_SESSIONS  = 16,
    parameter int unsigned MAX_WIDTH       = 4096,       // luma samples
    parameter int unsigned MAX_HEIGHT      = 4096,
    parameter int unsigned KILOSAMPLES     = 62208,      // luma samples a second that may be reserved, in thousands
    parameter bit          FUNCTIONAL      = 1'b1,       // cores code pictures
    parameter int unsigned OWN_QUEUES      = 4,
    parameter int unsigned ADDRESS_W       = 40,         // of device memory on the bus
    parameter int unsigned PROCESSOR_WORDS = 32768       // of the control processor's memory
) (
    input  wire logic                  clk,
    input  wire logic                  rst_n,
    // host registers, AXI4-Lite
    input  wire logic                  s_axil_awvalid,
    output      logic                  s_axil_awready,
    input  wire logic [11:0]           s_axil_awaddr,
    input  wire logic                  s_axil_wvalid,
    output      logic                  s_axil_wready,
    input  wire logic [31:0]           s_axil_wdata,
    input  wire logic [3:0]            s_axil_wstrb,
    output      logic                  s_axil_bvalid,
    input  wire logic                  s_axil_bready,
    output      logic [1:0]            s_axil_bresp,
    input  wire logic                  s_axil_arvalid,
    output      logic                  s_axil_arready,
    input  wire logic [11:0]           s_axil_araddr,
    output      logic                  s_axil_rvalid,
    input  wire logic                  s_axil_rready,
    output      logic [31:0]           s_axil_rdata,
    output      logic [1:0]            s_axil_rresp,
    output      logic                  event_o,            // the host's event line
    // mover, AXI4
    output      logic                  m_axi_awid,
    output      logic [ADDRESS_W-1:0]  m_axi_awaddr,
    output      logic [7:0]            m_axi_awlen,
    output      logic [2:0]            m_axi_awsize,
    output      logic [1:0]            m_axi_awburst,
    output      logic                  m_axi_awvalid,
    input  wire logic                  m_axi_awready,
    output      logic [31:0]           m_axi_wdata,
    output      logic [3:0]            m_axi_wstrb,
    output      logic                  m_axi_wlast,
    output      logic                  m_axi_wvalid,
    input  wire logic                  m_axi_wready,
    input  wire logic                  m_axi_bid,
    input  wire logic [1:0]            m_axi_bresp,
    input  wire logic                  m_axi_bvalid,
    output      logic                  m_axi_bready,
    output      logic                  m_axi_arid,
    output      logic [ADDRESS_W-1:0]  m_axi_araddr,
    output      logic [7:0]            m_axi_arlen,
    output      logic [2:0]            m_axi_arsize,
    output      logic [1:0]            m_axi_arburst,
    output      logic                  m_axi_arvalid,
    input  wire logic                  m_axi_arready,
    input  wire logic                  m_axi_rid,
    input  wire logic [31:0]           m_axi_rdata,
    input  wire logic [1:0]            m_axi_rresp,
    input  wire logic                  m_axi_rlast,
    input  wire logic                  m_axi_rvalid,
    output      logic                  m_axi_rready,
    // firmware image
    input  wire logic                  image_valid_i,
    output      logic                  image_ready_o,
    input  wire logic [31:0]           image_data_i,
    input  wire logic                  image_last_i,
    // cores
    output      logic [CORES-1:0]        core_start_valid_o,
    input  wire logic [CORES-1:0]        core_start_ready_i,
    output      logic [CORES-1:0][63:0]  core_job_o,         // address of the job block, while the core is busy
    output      logic [CORES-1:0][7:0]   core_function_o,
    output      logic [CORES-1:0]        core_reset_o,
    input  wire logic [CORES-1:0]        core_done_i,
    input  wire logic [CORES-1:0][7:0]   core_result_i,
    input  wire logic [CORES-1:0][31:0]  core_detail_i,
    input  wire logic [CORES-1:0][31:0]  core_bytes_i,
    // a job block that will not change any more
    output      logic                  announce_o,
    output      logic [47:0]           announce_address_o,
    output      logic [7:0]            announce_function_o,
    output      logic [7:0]            announce_kind_o,
    // counted elsewhere
    input  wire logic                  dropped_i,          // the link dropped a write to the firmware's area
    input  wire logic [31:0]           read_kib_i,         // of device memory, by all clients
    input  wire logic [31:0]           write_kib_i,
    input  wire logic [31:0]           ecc_corrected_i,
    input  wire logic [31:0]           ecc_uncorrected_i,
    input  wire logic [31:0]           link_drops_i
);

  localparam int unsigned DECODE_CORES = CORES - ENCODE_CORES - SCALE_CORES;
  localparam logic [7:0] ENCODE = 8'd1, SCALE = 8'd2, DECODE = 8'd3;
  localparam logic [7:0] STATE_FAULT = 8'd3;  // of firmware_status

  if (CORES < 1 || CORES > 32 || ENCODE_CORES + SCALE_CORES > CORES) begin : g_cores_check
    $fatal(1, "control: CORES is %0d with %0d for encoding and %0d for scaling; 1..32 have ports", CORES, ENCODE_CORES,
           SCALE_CORES);
  end
  if (OWN_QUEUES < 1 || OWN_QUEUES > 16) begin : g_queues_check
    $fatal(1, "control: OWN_QUEUES is %0d, 1..16 are in the map", OWN_QUEUES);
  end

  tasic_registers_pkg::tasic__in_t  in;
  tasic_registers_pkg::tasic__out_t out;

  // -------------------------------------------------------------------------------------------- processor and boot

  logic        run, hold, clear_n, registers_n, quiet;
  logic [31:0] resets;
  logic        access_valid, access_write, access_ready, access_request;
  logic [11:0] access_address;
  logic [31:0] access_data, bus_data;
  logic        local_valid, local_write, boot_valid, mover_valid, mover_write;
  logic [31:0] local_address, local_data, boot_address, mover_address, mover_data, local_read;
  logic        fault, retired, moved, move_busy;
  logic [3:0]  fault_cause;
  logic [31:0] fault_pc, fault_value;

  assign registers_n   = rst_n && clear_n;
  assign local_valid   = boot_valid || mover_valid;
  assign local_write   = boot_valid || mover_write;
  assign local_address = boot_valid ? boot_address : mover_address;
  assign local_data    = boot_valid ? image_data_i : mover_data;

  boot i_boot (
      .clk, .rst_n, .reset_i(out.control.reset.value), .quiet_i(quiet), .image_valid_i, .image_ready_o, .image_data_i,
      .image_last_i, .local_valid_o(boot_valid), .local_address_o(boot_address), .run_o(run), .hold_o(hold),
      .clear_n_o(clear_n), .resets_o(resets)
  );

  control_processor #(
      .MEMORY_WORDS(PROCESSOR_WORDS)
  ) i_processor (
      .clk, .rst_n, .run_i(run), .register_valid_o(access_valid), .register_write_o(access_write),
      .register_address_o(access_address), .register_data_o(access_data), .register_ready_i(access_ready),
      .register_data_i(bus_data), .local_valid_i(local_valid), .local_write_i(local_write),
      .local_word_i(local_address[$clog2(PROCESSOR_WORDS)+1:2]), .local_data_i(local_data), .local_data_o(local_read), .fault_o(fault),
      .fault_cause_o(fault_cause), .fault_pc_o(fault_pc), .fault_value_o(fault_value), .retired_o(retired)
  );

  // ------------------------------------------------------------------------------------------------- register access

  logic        bridge_request, bridge_write, bridge_idle;
  logic [11:0] bridge_address;
  logic [31:0] bridge_data;
  logic [1:0]  answer;
  logic [15:0] doorbell;
  logic        control_written, version_written, bridge_dropped;
  logic        awvalid, awready, wvalid, wready, bvalid, arvalid, arready, rvalid, pending;
  logic [11:0] axaddr;
  logic [31:0] wdata, rdata;
  logic [1:0]  register_bresp, register_rresp;

  processor_port i_processor_port (
      .clk, .rst_n(registers_n && run), .valid_i(access_valid), .write_i(access_write), .address_i(access_address),
      .ready_o(access_ready), .request_o(access_request), .answer_i(answer[0]), .pending_i(pending), .moved_i(moved)
  );

  host_bridge i_host_bridge (
      .clk, .rst_n, .hold_i(hold), .idle_o(bridge_idle),
      .s_awvalid_i(s_axil_awvalid), .s_awready_o(s_axil_awready), .s_awaddr_i(s_axil_awaddr),
      .s_wvalid_i(s_axil_wvalid), .s_wready_o(s_axil_wready), .s_wdata_i(s_axil_wdata), .s_wstrb_i(s_axil_wstrb),
      .s_bvalid_o(s_axil_bvalid), .s_bready_i(s_axil_bready), .s_arvalid_i(s_axil_arvalid),
      .s_arready_o(s_axil_arready), .s_araddr_i(s_axil_araddr), .s_rvalid_o(s_axil_rvalid),
      .s_rready_i(s_axil_rready), .s_rdata_o(s_axil_rdata), .request_o(bridge_request), .write_o(bridge_write),
      .address_o(bridge_address), .data_o(bridge_data), .answer_i(answer[1]), .data_i(bus_data),
      .doorbell_o(doorbell), .control_o(control_written), .host_version_o(version_written), .dropped_o(bridge_dropped)
  );
  assign s_axil_bresp = '0;
  assign s_axil_rresp = '0;

  // An access of the processor that a reset cuts off is finished without it: the bus holds requests until their answer.
  logic        cut_q;
  logic        held_write_q;
  logic [11:0] held_address_q;
  logic [31:0] held_data_q;
  logic        requested;
  assign requested = access_request && run;
  always_ff @(posedge clk) begin
    if (!registers_n) begin
      cut_q          <= 1'b0;
      held_write_q   <= 1'b0;
      held_address_q <= '0;
      held_data_q    <= '0;
    end else begin
      if (requested) begin
        held_write_q   <= access_write;
        held_address_q <= access_address;
        held_data_q    <= access_data;
      end
      cut_q <= (requested || cut_q) && !answer[0];
    end
  end

  register_bus i_register_bus (
      .clk, .rst_n(registers_n), .request_i({bridge_request, requested || cut_q}),
      .write_i({bridge_write, requested ? access_write : held_write_q}),
      .address_i({bridge_address, requested ? access_address : held_address_q}),
      .data_i({bridge_data, requested ? access_data : held_data_q}), .answer_o(answer), .data_o(bus_data),
      .awvalid_o(awvalid), .awready_i(awready), .wvalid_o(wvalid), .wready_i(wready), .bvalid_i(bvalid),
      .arvalid_o(arvalid), .arready_i(arready), .rvalid_i(rvalid), .rdata_i(rdata), .axaddr_o(axaddr),
      .wdata_o(wdata)
  );

  tasic_registers i_registers (
      .clk, .rst_n(registers_n), .s_axil_awready(awready), .s_axil_awvalid(awvalid), .s_axil_awaddr(axaddr),
      .s_axil_awprot('0), .s_axil_wready(wready), .s_axil_wvalid(wvalid), .s_axil_wdata(wdata), .s_axil_wstrb('1),
      .s_axil_bready(1'b1), .s_axil_bvalid(bvalid), .s_axil_bresp(register_bresp), .s_axil_arready(arready),
      .s_axil_arvalid(arvalid), .s_axil_araddr(axaddr), .s_axil_arprot('0), .s_axil_rready(1'b1),
      .s_axil_rvalid(rvalid), .s_axil_rdata(rdata), .s_axil_rresp(register_rresp), .hwif_in(in), .hwif_out(out)
  );

  // ------------------------------------------------------------------------------------------------------------ mover

  logic move_start_q, move_refused;
  always_ff @(posedge clk) move_start_q <= registers_n && run && out.mover_go.bytes.swmod;

  mover #(
      .LOCAL_BYTES(4 * PROCESSOR_WORDS),
      .ADDRESS_W  (ADDRESS_W)
  ) i_mover (
      .clk, .rst_n, .start_i(move_start_q), .write_i(out.mover_go.write.value), .bytes_i(out.mover_go.bytes.value),
      .device_i({out.mover_device_high.address.value, out.mover_device_low.address.value}),
      .local_i(out.mover_local.address.value), .memory_mib_i(MEMORY_MIB), .busy_o(move_busy), .done_o(moved),
      .refused_o(move_refused), .local_valid_o(mover_valid), .local_write_o(mover_write),
      .local_address_o(mover_address), .local_data_o(mover_data), .local_data_i(local_read),
      .m_awvalid_o(m_axi_awvalid), .m_awready_i(m_axi_awready), .m_awaddr_o(m_axi_awaddr), .m_awlen_o(m_axi_awlen),
      .m_wvalid_o(m_axi_wvalid), .m_wready_i(m_axi_wready), .m_wdata_o(m_axi_wdata), .m_wlast_o(m_axi_wlast),
      .m_bvalid_i(m_axi_bvalid), .m_bready_o(m_axi_bready), .m_bresp_i(m_axi_bresp), .m_arvalid_o(m_axi_arvalid),
      .m_arready_i(m_axi_arready), .m_araddr_o(m_axi_araddr), .m_arlen_o(m_axi_arlen), .m_rvalid_i(m_axi_rvalid),
      .m_rready_o(m_axi_rready), .m_rdata_i(m_axi_rdata), .m_rresp_i(m_axi_rresp), .m_rlast_i(m_axi_rlast)
  );
  assign m_axi_awid    = 1'b0;
  assign m_axi_arid    = 1'b0;
  assign m_axi_awsize  = 3'd2;  // 4 bytes a beat
  assign m_axi_arsize  = 3'd2;
  assign m_axi_awburst = 2'd1;  // INCR
  assign m_axi_arburst = 2'd1;
  assign m_axi_wstrb   = '1;

  // One burst at a time needs no ids; the register block answers every address.
  logic unused;
  assign unused = &{1'b0, m_axi_bid, m_axi_rid, register_bresp, register_rresp, local_address};

  // ------------------------------------------------------------------------------------------------ time and counters

  logic [63:0] ticks_q, instructions_q;
  logic [31:0] high_q, dropped_q, violations_q, timer_q;
  logic        timer_set_q, timer_now;
  logic [31:0] violations_now;

  assign timer_now = timer_q == 32'd1;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      ticks_q        <= '0;
      instructions_q <= '0;
      dropped_q      <= '0;
      violations_q   <= '0;
    end else begin
      ticks_q        <= ticks_q + 64'd1;
      instructions_q <= instructions_q + 64'(retired);
      dropped_q      <= dropped_q + 32'(bridge_dropped) + 32'(dropped_i);
      violations_q   <= violations_q + violations_now;
    end
  end

  always_ff @(posedge clk) begin
    if (!registers_n) begin
      high_q      <= '0;
      timer_q     <= '0;
      timer_set_q <= 1'b0;
    end else begin
      if (out.time_low.ticks.swacc) high_q <= ticks_q[63:32];
      timer_set_q <= out.timer.ticks.swmod;
      if (timer_set_q) timer_q <= out.timer.ticks.value;
      else if (timer_q != '0) timer_q <= timer_q - 32'd1;
    end
  end

  // ------------------------------------------------------------------------------------------------------------ cores

  logic [CORES-1:0]       busy, finished;
  logic [CORES-1:0][7:0]  result;
  logic [CORES-1:0][31:0] detail, bytes, busy_ticks;
  logic [CORES-1:0][63:0] started, ended;
  logic [12:0]            violated;  // by function

  for (genvar n = 0; n < CORES; n++) begin : g_core
    core_port i_core (
        .clk, .rst_n(registers_n), .there_i(1'b1), .ticks_i(ticks_q), .start_i(out.cores[n].start.start.value && !hold),
        .reset_i(out.cores[n].reset.reset.value), .start_valid_o(core_start_valid_o[n]),
        .start_ready_i(core_start_ready_i[n]), .reset_o(core_reset_o[n]), .done_i(core_done_i[n]),
        .result_i(core_result_i[n]), .detail_i(core_detail_i[n]), .bytes_i(core_bytes_i[n]), .busy_o(busy[n]),
        .result_o(result[n]), .detail_o(detail[n]), .bytes_o(bytes[n]), .started_o(started[n]), .finished_o(ended[n]),
        .busy_ticks_o(busy_ticks[n]), .finished_now_o(finished[n])
    );
    assign core_job_o[n]      = {out.cores[n].job_high.address.value, out.cores[n].job_low.address.value};
    assign core_function_o[n] = out.cores[n].function_.index.value;
  end

  always_comb begin
    violations_now = '0;
    violated       = '0;
    for (int unsigned n = 0; n < CORES; n++) begin
      if (finished[n] && result[n] == STATUS_ACCESS_VIOLATION) begin
        violations_now = violations_now + 32'd1;
        if (core_function_o[n] <= 8'd12) violated[core_function_o[n][3:0]] = 1'b1;
      end
    end
  end

  assign quiet = busy == '0 && !move_busy && bridge_idle && !cut_q;

  // --------------------------------------------------------------------------- what the hardware writes to registers

  logic function_0, event_state_set, event_fault_set, fault_q, fault_now;
  logic [3:0] event_status;
  assign fault_now       = fault && !fault_q;
  assign function_0      = out.event_set.function_.value == '0;
  assign event_state_set = out.event_set.state.value || fault_now;  // these two reach every function
  assign event_fault_set = out.event_set.fault.value || fault_now;
  assign event_status    = {out.event_status.queue.value, out.event_status.fault.value, out.event_status.state.value,
                            out.event_status.completion.value};
  assign event_o         = (event_status & out.event_enable.events.value) != '0;

  always_ff @(posedge clk) fault_q <= registers_n && fault;

  logic [4:0] pending_bits;
  assign pending_bits = {out.pending.control.value, out.pending.host_version.value, out.pending.timer.value,
                         out.pending.core.value, out.pending.doorbell.value};
  assign pending      = pending_bits != '0;

  // A write of the firmware that clears bits wins over the hardware that sets others in that cycle: what is to be set is
  // held until it is seen in the register.
  logic [4:0]  pending_new, pending_set, pending_held_q;
  logic [3:0]  event_new, event_set, event_held_q;
  logic [31:0] finished_set, finished_held_q;
  logic [15:0] doorbell_set, doorbell_held_q;
  assign pending_new  = {control_written, version_written, timer_now && !timer_set_q, finished != '0, doorbell != '0};
  assign event_new    = {out.event_set.queue.value && function_0, event_fault_set, event_state_set,
                         out.event_set.completion.value && function_0};
  assign pending_set  = pending_new | pending_held_q;
  assign event_set    = event_new | event_held_q;
  assign finished_set = 32'(finished) | finished_held_q;
  assign doorbell_set = doorbell | doorbell_held_q;

  always_ff @(posedge clk) begin
    if (!registers_n) begin
      pending_held_q  <= '0;
      event_held_q    <= '0;
      finished_held_q <= '0;
      doorbell_held_q <= '0;
    end else begin
      pending_held_q  <= pending_set & ~pending_bits;
      event_held_q    <= event_set & ~event_status;
      finished_held_q <= finished_set & ~out.cores_done.bits.value;
      doorbell_held_q <= doorbell_set & ~out.doorbells.bits.value;
    end
  end

  always_comb begin
    in.power_on_n                          = rst_n;
    in.features.can_encode.next            = ENCODE_CORES != 0;
    in.features.can_scale.next             = SCALE_CORES != 0;
    in.features.can_decode.next            = DECODE_CORES != 0;
    in.features.functional.next            = FUNCTIONAL;
    in.capacity.encode_cores.next          = 8'(ENCODE_CORES);
    in.capacity.scale_cores.next           = 8'(SCALE_CORES);
    in.capacity.decode_cores.next          = 8'(DECODE_CORES);
    in.capacity.queues.next                = 8'(OWN_QUEUES);
    in.memory_size.mib.next                = MEMORY_MIB;
    in.firmware_area.bytes.next            = AREA_BYTES;
    in.firmware_status.state.next          = STATE_FAULT;
    in.firmware_status.state.we            = fault_now;
    in.event_status.completion.hwset       = event_set[0];
    in.event_status.state.hwset            = event_set[1];
    in.event_status.fault.hwset            = event_set[2];
    in.event_status.queue.hwset            = event_set[3];
    in.fault_cause.cause.next              = 32'(fault_cause);
    in.fault_pc.pc.next                    = fault_pc;
    in.fault_value.value.next              = fault_value;
    in.time_low.ticks.next                 = ticks_q[31:0];
    in.time_high.ticks.next                = high_q;
    in.clock_period.ps.next                = CLOCK_PS;
    in.session_limit.most.next             = MOST_SESSIONS;
    in.picture_limit.width.next            = 16'(MAX_WIDTH);
    in.picture_limit.height.next           = 16'(MAX_HEIGHT);
    in.encode_rate_limit.kilosamples.next  = KILOSAMPLES;
    in.reset_count.count.next              = resets;
    in.function_.index.next                = '0;
    in.instructions_low.count.next         = instructions_q[31:0];
    in.instructions_high.count.next        = instructions_q[63:32];
    in.memory_read_kib.count.next          = read_kib_i;
    in.memory_write_kib.count.next         = write_kib_i;
    in.host_writes_dropped.count.next      = dropped_q;
    in.core_violations.count.next          = violations_q;
    in.ecc_corrected.count.next            = ecc_corrected_i;
    in.ecc_uncorrected.count.next          = ecc_uncorrected_i;
    in.link_drops.count.next               = link_drops_i;
    in.wait_pending.pending.next           = 8'(pending_bits);
    in.pending.doorbell.hwset              = pending_set[0];
    in.pending.core.hwset                  = pending_set[1];
    in.pending.timer.hwset                 = pending_set[2];
    in.pending.host_version.hwset          = pending_set[3];
    in.pending.control.hwset               = pending_set[4];
    in.cores_done.bits.next                = out.cores_done.bits.value | finished_set;
    in.cores_done.bits.we                  = finished_set != '0;
    in.mover_status.refused.next           = move_refused;
    in.doorbells.bits.next                 = out.doorbells.bits.value | doorbell_set;
    in.doorbells.bits.we                   = doorbell_set != '0;
    for (int n = 0; n < 12; n++) begin
      in.functions[n].event_status.events.next = '0;
      in.functions[n].event_enable.events.next = '0;
      in.functions[n].violations.count.incr    = violated[n+1];
    end
    for (int n = 0; n < 32; n++) begin
      in.cores[n].kind.kind.next          = '0;
      in.cores[n].status.busy.next        = 1'b0;
      in.cores[n].status.result.next      = '0;
      in.cores[n].detail.detail.next      = '0;
      in.cores[n].output_bytes.bytes.next = '0;
      in.cores[n].started_low.ticks.next  = '0;
      in.cores[n].started_high.ticks.next = '0;
      in.cores[n].finished_low.ticks.next = '0;
      in.cores[n].finished_high.ticks.next = '0;
      in.cores[n].busy_ticks.ticks.next   = '0;
    end
    for (int unsigned n = 0; n < CORES; n++) begin
      in.cores[n].kind.kind.next = n < ENCODE_CORES ? ENCODE : n < ENCODE_CORES + SCALE_CORES ? SCALE : DECODE;
      in.cores[n].status.busy.next         = busy[n];
      in.cores[n].status.result.next       = result[n];
      in.cores[n].detail.detail.next       = detail[n];
      in.cores[n].output_bytes.bytes.next  = bytes[n];
      in.cores[n].started_low.ticks.next   = started[n][31:0];
      in.cores[n].started_high.ticks.next  = started[n][63:32];
      in.cores[n].finished_low.ticks.next  = ended[n][31:0];
      in.cores[n].finished_high.ticks.next = ended[n][63:32];
      in.cores[n].busy_ticks.ticks.next    = busy_ticks[n];
    end
  end

  always_ff @(posedge clk) announce_o <= registers_n && out.prefetch_high.kind.swmod;
  assign announce_address_o  = {out.prefetch_high.address.value, out.prefetch_low.address.value};
  assign announce_function_o = out.prefetch_high.function_.value;
  assign announce_kind_o     = out.prefetch_high.kind.value;

endmodule

`default_nettype wire

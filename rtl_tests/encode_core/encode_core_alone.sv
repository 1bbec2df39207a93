// The encode core with its memory in the simulator: what Verilator takes when no Python runs in a cycle.
//
//   +memory=FILE  words of 64 bits in hexadecimal, loaded when `load_i` rises, written when `save_i` rises

`default_nettype none

module encode_core_alone
  import encode_core_pkg::*;
#(
    parameter int unsigned WORDS = 1 << 17  // of memory, from address 0 on
) (
    input  wire logic        clk,
    input  wire logic        rst_n,
    input  wire logic        job_valid_i,
    output      logic        job_ready_o,
    input  wire job_t        job_i,
    output      logic        done_valid_o,
    input  wire logic        done_ready_i,
    output      logic [1:0]  done_status_o,
    output      logic [31:0] done_bytes_o,
    output      logic [31:0] done_cycles_o,
    input  wire logic        load_i,
    input  wire logic        save_i
);

  logic [63:0] words_q [WORDS];
  string       memory_file;
  initial if (!$value$plusargs("memory=%s", memory_file)) $fatal(1, "encode_core_alone: no +memory=FILE");
  always @(posedge load_i) $readmemh(memory_file, words_q);
  always @(posedge save_i) $writememh(memory_file, words_q);

  logic        read_valid, data_valid_q, write_valid;
  /* verilator lint_off UNUSEDSIGNAL */  // the memory is smaller than what addresses can say
  logic [31:0] read_address, write_address;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [63:0] data_q, write_data;
  logic [7:0]  write_strobe;
  /* verilator lint_off PINCONNECTEMPTY */
  encode_core i_core (
      .clk              (clk),
      .rst_n            (rst_n),
      .job_valid_i      (job_valid_i),
      .job_ready_o      (job_ready_o),
      .job_i            (job_i),
      .done_valid_o     (done_valid_o),
      .done_ready_i     (done_ready_i),
      .done_status_o    (done_status_o),
      .done_bytes_o     (done_bytes_o),
      .done_cycles_o    (done_cycles_o),
      .read_valid_o     (read_valid),
      .read_ready_i     (1'b1),
      .read_address_o   (read_address),
      .read_data_valid_i(data_valid_q),
      .read_data_i      (data_q),
      .write_valid_o    (write_valid),
      .write_ready_i    (1'b1),
      .write_address_o  (write_address),
      .write_data_o     (write_data),
      .write_strobe_o   (write_strobe),
      .decided_o        (),
      .coded_o          (),
      .filtered_o       ()
  );
  /* verilator lint_on PINCONNECTEMPTY */

  localparam int unsigned ADDRESS_W = $clog2(WORDS);
  always_ff @(posedge clk) begin
    if (!rst_n) data_valid_q <= 1'b0;
    else data_valid_q <= read_valid;
    data_q <= words_q[read_address[3+:ADDRESS_W]];
    if (rst_n && write_valid) begin
      for (int unsigned i = 0; i < 8; i++) begin
        if (write_strobe[i]) words_q[write_address[3+:ADDRESS_W]][8*i+:8] <= write_data[8*i+:8];
      end
    end
  end

endmodule

`default_nettype wire

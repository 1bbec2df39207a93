// Brings the control processor up: takes the firmware's image word by word, as from a flash controller, writes it to the
// processor's memory from address 0, and lets the processor run. A reset of the chip begins again, once the cores' jobs
// have run out, a move has ended and the host has its answer: a core cannot be stopped half-way.

`default_nettype none

module boot (
    input  wire logic        clk,
    input  wire logic        rst_n,
    input  wire logic        reset_i,          // the host writes control.reset
    input  wire logic        quiet_i,          // no job runs, no move, no access
    // image
    input  wire logic        image_valid_i,
    output      logic        image_ready_o,
    input  wire logic [31:0] image_data_i,
    input  wire logic        image_last_i,
    // the processor's memory
    output      logic        local_valid_o,
    output      logic [31:0] local_address_o,
    output      logic        run_o,            // the processor runs
    output      logic        hold_o,           // nothing new may begin
    output      logic        clear_n_o,        // registers are cleared; 0 for one cycle
    output      logic [31:0] resets_o
);

  typedef enum logic [1:0] {S_DRAIN, S_CLEAR, S_LOAD, S_RUN} state_e;
  state_e      state_q;
  logic [31:0] address_q, resets_q;

  assign image_ready_o   = state_q == S_LOAD;
  assign local_valid_o   = image_valid_i && image_ready_o;
  assign local_address_o = address_q;
  assign run_o           = state_q == S_RUN;
  assign hold_o          = state_q == S_DRAIN || state_q == S_CLEAR;
  assign clear_n_o       = state_q != S_CLEAR;
  assign resets_o        = resets_q;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state_q   <= S_LOAD;
      address_q <= '0;
      resets_q  <= '0;
    end else begin
      unique case (state_q)
        S_DRAIN: if (quiet_i) state_q <= S_CLEAR;
        S_CLEAR: begin
          state_q   <= S_LOAD;
          address_q <= '0;
          resets_q  <= resets_q + 32'd1;
        end
        S_LOAD: begin
          if (local_valid_o) begin
            address_q <= address_q + 32'd4;
            if (image_last_i) state_q <= S_RUN;
          end
          if (reset_i) state_q <= S_DRAIN;
        end
        S_RUN: if (reset_i) state_q <= S_DRAIN;
        default: state_q <= S_DRAIN;
      endcase
    end
  end

  handshake_check #(.PAYLOAD_W(33)) i_image (
      .clk, .rst_n, .valid_i(image_valid_i), .ready_i(image_ready_o), .payload_i({image_data_i, image_last_i})
  );

endmodule

`default_nettype wire

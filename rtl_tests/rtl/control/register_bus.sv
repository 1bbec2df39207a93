// Gives two masters, the control processor and the host bridge, turns on the AXI4-Lite port of the register block.
//
// A request is held until its answer; the answer is there for one cycle.

`default_nettype none

module register_bus (
    input  wire logic              clk,
    input  wire logic              rst_n,
    input  wire logic [1:0]        request_i,
    input  wire logic [1:0]        write_i,
    input  wire logic [1:0][11:0]  address_i,
    input  wire logic [1:0][31:0]  data_i,
    output      logic [1:0]        answer_o,
    output      logic [31:0]       data_o,    // of a read, with the answer
    output      logic              awvalid_o,
    input  wire logic              awready_i,
    output      logic              wvalid_o,
    input  wire logic              wready_i,
    input  wire logic              bvalid_i,
    output      logic              arvalid_o,
    input  wire logic              arready_i,
    input  wire logic              rvalid_i,
    input  wire logic [31:0]       rdata_i,
    output      logic [11:0]       axaddr_o,
    output      logic [31:0]       wdata_o
);

  logic owner, owner_q, busy_q, address_done_q, data_done_q, served_q;

  // Who was not served last goes first.
  assign owner     = busy_q ? owner_q : request_i[!served_q] ? !served_q : served_q;
  assign axaddr_o  = address_i[owner];
  assign wdata_o   = data_i[owner];
  assign arvalid_o = request_i[owner] && !write_i[owner] && !address_done_q;
  assign awvalid_o = request_i[owner] && write_i[owner] && !address_done_q;
  assign wvalid_o  = request_i[owner] && write_i[owner] && !data_done_q;
  assign data_o    = rdata_i;

  always_comb begin
    answer_o        = '0;
    answer_o[owner] = busy_q && (bvalid_i || rvalid_i);
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      owner_q        <= 1'b0;
      served_q       <= 1'b1;
      busy_q         <= 1'b0;
      address_done_q <= 1'b0;
      data_done_q    <= 1'b0;
    end else if (answer_o != '0) begin
      served_q       <= owner;
      busy_q         <= 1'b0;
      address_done_q <= 1'b0;
      data_done_q    <= 1'b0;
    end else if (request_i != '0) begin
      owner_q <= owner;
      busy_q  <= 1'b1;
      if ((arvalid_o && arready_i) || (awvalid_o && awready_i)) address_done_q <= 1'b1;
      if (wvalid_o && wready_i) data_done_q <= 1'b1;
    end
  end

  handshake_check #(.PAYLOAD_W(12)) i_read (
      .clk, .rst_n, .valid_i(arvalid_o), .ready_i(arready_i), .payload_i(axaddr_o)
  );
  handshake_check #(.PAYLOAD_W(12)) i_write (
      .clk, .rst_n, .valid_i(awvalid_o), .ready_i(awready_i), .payload_i(axaddr_o)
  );
  handshake_check #(.PAYLOAD_W(32)) i_write_data (
      .clk, .rst_n, .valid_i(wvalid_o), .ready_i(wready_i), .payload_i(wdata_o)
  );

  for (genvar n = 0; n < 2; n++) begin : g_request
    handshake_check #(.PAYLOAD_W(45)) i_request (
        .clk, .rst_n, .valid_i(request_i[n]), .ready_i(answer_o[n]),
        .payload_i({write_i[n], address_i[n], write_i[n] ? data_i[n] : 32'b0})
    );
  end

endmodule

`default_nettype wire
